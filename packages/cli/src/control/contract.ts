/** What the control API answers, as far as it is printed here: see packages/gateway/src/admin/contract.ts. */
export type { ApprovalView, ListenerView, SessionView } from '@sallyport/gateway'
