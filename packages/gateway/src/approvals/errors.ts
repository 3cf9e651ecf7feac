/** Why an approval cannot be asked for, decided or used. Match on `code`. */
export type ApprovalErrorCode =
  | 'unknown-approval'
  /** Used, denied, expired or cancelled already. */
  | 'closed'
  | 'own-request'
  /** Machines and tokens made for a graph, node or run do not decide. */
  | 'not-a-person'
  | 'not-an-approver'
  | 'decided-already'
  | 'ticket-needed'
  | 'not-approved'
  | 'other-statement'
  /** Policy does not let the requester ask for this role. */
  | 'not-grantable'
  | 'reason-needed'
  /** A grant for longer than policy allows. */
  | 'too-long'
  | 'too-many'
  | 'too-large'
  /** Others kept changing it. */
  | 'contended'
  /** An event that may not follow those before it. */
  | 'out-of-order'

export class ApprovalError extends Error {
  readonly code: ApprovalErrorCode

  constructor(code: ApprovalErrorCode, message: string) {
    super(message)
    this.name = 'ApprovalError'
    this.code = code
  }
}
