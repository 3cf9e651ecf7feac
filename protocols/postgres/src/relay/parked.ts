/** Why the client leg takes no more for now; see parking.ts. */
export type Parked =
  | { readonly kind: 'no' }
  /** The gatekeeper said WAIT. */
  | { readonly kind: 'decision' }
  /** Until segment `segment` is settled and no barrier is outstanding. */
  | { readonly kind: 'settlement'; readonly segment: number }
  /** Until no limited result is on its way, and no cancel of ours. */
  | { readonly kind: 'limit' }
  /** Until nothing is under way. */
  | { readonly kind: 'alone' }
  /** Until all that was sent is answered, in the middle of a pipeline. */
  | { readonly kind: 'answers' }
  /** COPY data came before the server could ask for it. */
  | { readonly kind: 'copy' }
  /** Too many replies are owed. */
  | { readonly kind: 'room' }

export const NOT_PARKED: Parked = { kind: 'no' }
export const DECISION: Parked = { kind: 'decision' }
