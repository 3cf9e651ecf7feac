-- Rows of the demo's CRM. Every value is computed from its row number, so two loads are equal.
-- Card numbers pass Luhn and IBANs their checksum, as detectors expect; none belongs to anybody.
-- Addresses of mail are under example.com, example.org and example.net; phones are 555-01xx.
BEGIN;

CREATE FUNCTION pg_temp.card_number(n integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  WITH body AS (
    SELECT '4' || lpad((n::bigint * 91193 % 100000000000000)::text, 14, '0') AS digits
  ), summed AS (
    SELECT digits,
           (SELECT sum(CASE WHEN i % 2 = 0 THEN d ELSE d * 2 / 10 + d * 2 % 10 END)
              FROM generate_series(1, 15) AS i,
                   LATERAL (SELECT substr(digits, i, 1)::integer AS d) AS digit) AS total
      FROM body
  )
  SELECT digits || ((10 - total % 10) % 10)::text FROM summed
$$;

CREATE FUNCTION pg_temp.iban(n integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  WITH account AS (SELECT '37040044' || lpad((n::bigint * 532013)::text, 10, '0') AS bban)
  SELECT 'DE' || lpad((98 - (bban || '131400')::numeric % 97)::text, 2, '0') || bban FROM account
$$;

CREATE FUNCTION pg_temp.person(n integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT (ARRAY['Ada','Boris','Chiara','Dmitri','Elena','Farid','Grace','Hugo','Ines','Jonas',
                'Keiko','Liam','Maya','Noor','Olga','Pedro','Quinn','Rosa','Samir','Tove'])[1 + n % 20]
      || ' ' ||
         (ARRAY['Abbott','Bianchi','Castillo','Dvorak','Eriksen','Fischer','Gupta'])[1 + n / 3 % 7]
$$;

INSERT INTO public.employees (id, name, email, department, manager_id, salary, hired_on)
SELECT n,
       pg_temp.person(n + 40),
       lower(replace(pg_temp.person(n + 40), ' ', '.')) || '@crm.example.com',
       (ARRAY['support', 'sales', 'finance'])[1 + n % 3],
       CASE WHEN n > 3 THEN 1 + n % 3 END,
       48000 + n * 3750,
       date '2019-02-01' + n * 97
  FROM generate_series(1, 12) AS n;

INSERT INTO public.customers (id, name, email, phone, ssn, birth_date, profile, tags, created_at)
SELECT n,
       pg_temp.person(n),
       lower(replace(pg_temp.person(n), ' ', '.')) || n || '@example.'
         || (ARRAY['com', 'org', 'net'])[1 + n % 3],
       '+1-' || (201 + n * 7 % 700) || '-555-01' || lpad((n % 100)::text, 2, '0'),
       lpad((101 + n * 11 % 560)::text, 3, '0') || '-' || lpad((10 + n % 80)::text, 2, '0') || '-'
         || lpad((1000 + n * 131 % 9000)::text, 4, '0'),
       date '1955-03-14' + n * 401,
       jsonb_build_object(
         'phone', '+49 30 555 01' || lpad((n % 100)::text, 2, '0'),
         'address', jsonb_build_object(
           'street', n || ' ' || (ARRAY['Harbour Road', 'Mill Lane', 'Station Street'])[1 + n % 3],
           'city', (ARRAY['Lisbon', 'Berlin', 'Austin', 'Osaka', 'Nairobi'])[1 + n % 5],
           'zip', lpad((10115 + n * 13)::text, 5, '0'),
           'country', (ARRAY['PT', 'DE', 'US', 'JP', 'KE'])[1 + n % 5]),
         'preferences', jsonb_build_object('newsletter', n % 2 = 0, 'language', 'en')),
       CASE WHEN n % 4 = 0 THEN ARRAY['vip', 'beta'] WHEN n % 4 = 1 THEN ARRAY['trial'] ELSE '{}' END,
       timestamptz '2025-01-06T09:00:00Z' + n * interval '31 hours'
  FROM generate_series(1, 40) AS n;

INSERT INTO public.orders (id, customer_id, status, placed_at, note)
SELECT n,
       1 + n * 7 % 40,
       (ARRAY['placed', 'paid', 'shipped', 'cancelled'])[1 + n % 4]::public.order_status,
       timestamptz '2025-11-03T10:00:00Z' + n * interval '29 hours',
       CASE WHEN n % 9 = 0 THEN 'call ' || pg_temp.person(1 + n * 7 % 40) || ' before delivery' END
  FROM generate_series(1, 60) AS n;

INSERT INTO public.order_items (order_id, line, product, quantity, unit_price)
SELECT o, line,
       (ARRAY['Gate sensor', 'Key fob', 'Badge printer', 'Door camera'])[1 + (o + line) % 4],
       1 + (o + line) % 3,
       (ARRAY[149.00, 12.50, 389.90, 219.00])[1 + (o + line) % 4]
  FROM generate_series(1, 60) AS o, generate_series(1, 2) AS line;

INSERT INTO public.payments (id, order_id, customer_id, card_number, iban, amount, currency, paid_at)
SELECT o.id, o.id, o.customer_id,
       CASE WHEN o.id % 3 <> 0 THEN pg_temp.card_number(o.customer_id) END,
       CASE WHEN o.id % 3 = 0 THEN pg_temp.iban(o.customer_id) END,
       (SELECT sum(i.quantity * i.unit_price) FROM public.order_items i WHERE i.order_id = o.id),
       CASE WHEN o.id % 5 = 0 THEN 'USD' ELSE 'EUR' END,
       o.placed_at + interval '40 minutes'
  FROM public.orders o
 WHERE o.status IN ('paid', 'shipped');

INSERT INTO public.api_keys (id, customer_id, label, secret, key_hash, scopes, expires_at)
SELECT md5('api key ' || n)::uuid,
       n * 3,
       (ARRAY['production', 'staging', 'export job'])[1 + n % 3],
       s.secret,
       sha256(s.secret::bytea),
       CASE WHEN n % 2 = 0 THEN ARRAY['orders:read'] ELSE ARRAY['orders:read', 'orders:write'] END,
       timestamptz '2027-01-01T00:00:00Z' + n * interval '1 day'
  FROM generate_series(1, 10) AS n,
       LATERAL (SELECT 'crm_sk_' || md5('secret ' || n) || md5('more ' || n) AS secret) AS s;

INSERT INTO public.support_tickets (id, customer_id, assignee_id, status, subject, body, opened_at,
                                    updated_at)
SELECT n, c.id, 1 + n % 12,
       (ARRAY['new', 'open', 'waiting', 'solved', 'closed'])[1 + n % 5]::public.ticket_status,
       (ARRAY['Invoice is wrong', 'Cannot log in', 'Refund please', 'Change my address'])[1 + n % 4],
       CASE n % 4
         WHEN 0 THEN 'Hi, the invoice went to the wrong inbox. Please send it to ' || c.email
           || ' or call me on ' || c.phone || '.'
         WHEN 1 THEN 'I can''t log in since yesterday. My key is ' || k.secret || ' if that helps.'
         WHEN 2 THEN 'Please refund to my card ' || pg_temp.card_number(c.id) || ', or to the account '
           || pg_temp.iban(c.id) || '. Thanks, ' || c.name
         ELSE 'We moved. My social security number for the form is ' || c.ssn
           || E'.\nReach me at ' || c.email || '.'
       END,
       timestamptz '2026-01-05T08:00:00Z' + n * interval '5 hours',
       timestamptz '2026-01-05T08:00:00Z' + n * interval '6 hours'
  FROM generate_series(1, 24) AS n
  JOIN public.customers c ON c.id = 1 + n * 5 % 40
  JOIN public.api_keys k ON k.customer_id = 3 * (1 + n % 10);

INSERT INTO public.events (id, customer_id, name, payload, occurred_at)
SELECT n, 1 + n * 3 % 40,
       (ARRAY['login', 'page_view', 'order_placed'])[1 + n % 3],
       jsonb_build_object('ip', '203.0.113.' || (1 + n % 250), 'email',
         (SELECT c.email FROM public.customers c WHERE c.id = 1 + n * 3 % 40)),
       timestamptz '2025-12-20T00:00:00Z' + n * interval '11 hours'
  FROM generate_series(1, 60) AS n;

-- Identity columns go on after the rows above.
SELECT setval(pg_get_serial_sequence('public.' || t, 'id'), 1000)
  FROM unnest(ARRAY['employees', 'customers', 'orders', 'payments', 'support_tickets', 'events']) AS t;

DROP FUNCTION pg_temp.card_number(integer);
DROP FUNCTION pg_temp.iban(integer);
DROP FUNCTION pg_temp.person(integer);

REFRESH MATERIALIZED VIEW public.customer_revenue;
COMMIT;
