import type { Attack, Step } from './run-attack.ts'

/** One text, the texts of one session in order, or an attack in full. */
export type AttackList = readonly (string | readonly Step[] | Attack)[]

export function attackOf(one: AttackList[number]): Attack {
  if (typeof one === 'string') return { steps: [one] }
  return 'steps' in one ? one : { steps: one }
}
