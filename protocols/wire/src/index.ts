export type { ByteSink, CellMask } from './cell-mask.ts'
export { copyRange, forgetViews, ownCopy, viewOfSource } from './copying.ts'
export { GrowingSink } from './growing-sink.ts'
export { OutputQueue } from './output-queue.ts'
