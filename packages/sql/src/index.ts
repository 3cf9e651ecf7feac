export type * from './catalog.ts'
export type * from './facts.ts'
