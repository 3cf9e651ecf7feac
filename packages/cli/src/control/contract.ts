/** What the control API answers, as far as it is printed here: see packages/gateway/src/admin/contract.ts. */
export type {
  ApprovalView,
  GrantView,
  ListenerView,
  SessionsView,
  SessionView,
  WatchedView,
} from '@sallyport/gateway'
