export { approving } from './approving.ts'
export { type CaseResult, type CasesInput, type CasesReport, runPolicyCases } from './cases.ts'
export { CASES_SCHEMA } from './cases-schema.ts'
export { type CatalogClass, catalogClass } from './catalogs.ts'
export { type CompileResult, compilePolicy } from './compile.ts'
export { type DecideContext, decide } from './decide.ts'
export { formatPolicyError, type PolicyError, type PolicyErrorCode } from './errors.ts'
export { type Estimate, type EstimateGate, settleEstimate } from './estimates.ts'
export type { RuleTrail } from './examine.ts'
export {
  type ColumnExplanation,
  type Explanation,
  explain,
  type StatementExplanation,
} from './explain.ts'
export { cellMaskNote, compileCellMask } from './masks/cell.ts'
export type { MaskKeys } from './masks/keys.ts'
export { DETECTORS, type Detector, MASK_KINDS, type MaskSpec } from './masks/spec.ts'
export { REDACTED } from './masks/type-info.ts'
export type { CellType } from './masks/types.ts'
export type {
  ApproverRequirement,
  Budget,
  ColumnMask,
  GrantRule,
  Limits,
  MaskRule,
  OnExceed,
  Policy,
  PreviewAllowed,
  RecordingPolicy,
  Rule,
  Subject,
} from './model.ts'
export { type MergedPlan, mergePlan, planFor, type Witness } from './plan.ts'
export type { PolicyFile } from './policy-file.ts'
export { type Probes, probesSpent } from './probes.ts'
export { POLICY_SCHEMA } from './schema.ts'
export { nearest } from './suggest.ts'
export { type MaskSuggestion, suggestMask } from './suggest-masks.ts'
export { keptAsSent } from './uses.ts'
export type {
  Allow,
  Approve,
  Deny,
  DenyCode,
  ResultPlan,
  Rewriting,
  Verdict,
  WithheldColumn,
} from './verdict.ts'
export { grantsFor, type PrincipalView, type ViewOptions, viewFor } from './view.ts'
export { type BindParameter, bindMatters, checkBind, isPlaceholder } from './write-back.ts'
