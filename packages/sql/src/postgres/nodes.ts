/**
 * Every node type of the grammar and what it is here. A type that is not listed makes a statement
 * unknown, and so does one of `never`: the parser gives raw trees, without what analysis and planning add.
 */
const ROLES = {
  statement: `
    InsertStmt DeleteStmt UpdateStmt MergeStmt SelectStmt CreateSchemaStmt AlterTableStmt
    ReplicaIdentityStmt AlterCollationStmt AlterDomainStmt GrantStmt GrantRoleStmt
    AlterDefaultPrivilegesStmt CopyStmt VariableSetStmt VariableShowStmt CreateStmt
    CreateTableSpaceStmt DropTableSpaceStmt AlterTableSpaceOptionsStmt AlterTableMoveAllStmt
    CreateExtensionStmt AlterExtensionStmt AlterExtensionContentsStmt CreateFdwStmt AlterFdwStmt
    CreateForeignServerStmt AlterForeignServerStmt CreateForeignTableStmt CreateUserMappingStmt
    AlterUserMappingStmt DropUserMappingStmt ImportForeignSchemaStmt CreatePolicyStmt
    AlterPolicyStmt CreateAmStmt CreateTrigStmt CreateEventTrigStmt AlterEventTrigStmt
    CreatePLangStmt CreateRoleStmt AlterRoleStmt AlterRoleSetStmt DropRoleStmt CreateSeqStmt
    AlterSeqStmt DefineStmt CreateDomainStmt CreateOpClassStmt CreateOpFamilyStmt
    AlterOpFamilyStmt DropStmt TruncateStmt CommentStmt SecLabelStmt DeclareCursorStmt
    ClosePortalStmt FetchStmt IndexStmt CreateStatsStmt AlterStatsStmt CreateFunctionStmt
    AlterFunctionStmt DoStmt CallStmt RenameStmt AlterObjectDependsStmt AlterObjectSchemaStmt
    AlterOwnerStmt AlterOperatorStmt AlterTypeStmt RuleStmt NotifyStmt ListenStmt UnlistenStmt
    TransactionStmt CompositeTypeStmt CreateEnumStmt CreateRangeStmt AlterEnumStmt ViewStmt
    LoadStmt CreatedbStmt AlterDatabaseStmt AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt
    DropdbStmt AlterSystemStmt ClusterStmt VacuumStmt ExplainStmt CreateTableAsStmt
    RefreshMatViewStmt CheckPointStmt DiscardStmt LockStmt ConstraintsSetStmt ReindexStmt
    CreateConversionStmt CreateCastStmt CreateTransformStmt PrepareStmt ExecuteStmt
    DeallocateStmt DropOwnedStmt ReassignOwnedStmt AlterTSDictionaryStmt
    AlterTSConfigurationStmt CreatePublicationStmt AlterPublicationStmt CreateSubscriptionStmt
    AlterSubscriptionStmt DropSubscriptionStmt`,
  expression: `
    A_Const ColumnRef ParamRef A_Expr TypeCast CollateClause FuncCall A_Indirection A_ArrayExpr
    NamedArgExpr BoolExpr SubLink CaseExpr RowExpr CoalesceExpr MinMaxExpr SQLValueFunction
    XmlExpr XmlSerialize NullTest BooleanTest SetToDefault CurrentOfExpr GroupingFunc
    MergeSupportFunc MultiAssignRef JsonValueExpr JsonIsPredicate JsonFuncExpr JsonParseExpr
    JsonScalarExpr JsonSerializeExpr JsonObjectConstructor JsonArrayConstructor
    JsonArrayQueryConstructor JsonObjectAgg JsonArrayAgg`,
  part: `
    Integer Float Boolean String BitString List Alias RangeVar IntoClause CaseWhen JsonFormat
    JsonReturning JsonBehavior JoinExpr TypeName RoleSpec A_Star A_Indices ResTarget SortBy
    WindowDef RangeSubselect RangeFunction RangeTableFunc RangeTableFuncCol RangeTableSample
    ColumnDef TableLikeClause IndexElem DefElem LockingClause PartitionElem PartitionSpec
    PartitionBoundSpec PartitionRangeDatum PartitionCmd GroupingSet WithClause InferClause
    OnConflictClause CTESearchClause CTECycleClause CommonTableExpr MergeWhenClause
    ReturningOption ReturningClause TriggerTransition JsonOutput JsonArgument JsonTablePathSpec
    JsonTable JsonTableColumn JsonKeyValue JsonAggConstructor RawStmt ReturnStmt AlterTableCmd
    ATAlterConstraint ObjectWithArgs AccessPriv Constraint CreateOpClassItem StatsElem
    FunctionParameter VacuumRelation PublicationTable PublicationObjSpec`,
  never: `
    OidList IntList TableFunc Var Param Aggref WindowFunc WindowFuncRunCondition SubscriptingRef
    FuncExpr OpExpr DistinctExpr NullIfExpr ScalarArrayOpExpr SubPlan AlternativeSubPlan
    FieldSelect FieldStore RelabelType CoerceViaIO ArrayCoerceExpr ConvertRowtypeExpr CollateExpr
    CaseTestExpr ArrayExpr RowCompareExpr JsonConstructorExpr JsonExpr JsonTablePath
    JsonTablePathScan JsonTableSiblingJoin MergeAction CoerceToDomain CoerceToDomainValue
    NextValueExpr InferenceElem ReturningExpr TargetEntry RangeTblRef FromExpr OnConflictExpr
    Query RangeTblEntry RTEPermissionInfo RangeTblFunction TableSampleClause WithCheckOption
    SortGroupClause WindowClause RowMarkClause SetOperationStmt PLAssignStmt InlineCodeBlock
    CallContext`,
} as const

export type NodeRole = keyof typeof ROLES

const roles = new Map<string, NodeRole>(
  // Object.entries widens the keys it is given.
  (Object.entries(ROLES) as [NodeRole, string][]).flatMap(([role, names]) =>
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, role] as const),
  ),
)

export function nodeRole(type: string): NodeRole | undefined {
  return roles.get(type)
}
