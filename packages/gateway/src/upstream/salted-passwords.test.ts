import { expect, test } from 'vitest'
import { Secret } from '../secrets/secret.ts'
import { saltedPassword } from './salted-passwords.ts'

const challenge = { salt: Buffer.from('salt'), iterations: 2 }

test('a password is salted once for a secret, and anew when the server says otherwise', async () => {
  const secret = new Secret('pencil')
  const first = saltedPassword(secret, challenge)
  expect(saltedPassword(secret, { salt: Buffer.from('salt'), iterations: 2 })).toBe(first)
  const others = [
    saltedPassword(secret, { ...challenge, salt: Buffer.from('pepper') }),
    saltedPassword(secret, { ...challenge, iterations: 3 }),
    saltedPassword(new Secret('pen'), challenge),
  ]
  const bytes = (await Promise.all([first, ...others])).map((one) =>
    Buffer.from(one).toString('hex'),
  )
  expect(new Set(bytes).size).toBe(4)
})
