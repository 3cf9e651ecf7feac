/** Does this address, or the name `localhost`, stay on this machine? Unix sockets have no address. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined || address === 'localhost') return true
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')
}
