/** Every statement, and every node. */

import type * as administration from './administration.ts'
import type * as parts from './definition-parts.ts'
import type * as definitions from './definitions.ts'
import type * as dml from './dml.ts'
import type * as expressions from './expressions.ts'
import type { Account, Identifier, ObjectName, Option } from './names.ts'
import type * as queries from './queries.ts'
import type * as routines from './routines.ts'
import type * as session from './session.ts'
import type * as types from './types.ts'

export type Statement =
  | queries.Query
  | dml.DataStatement
  | session.SessionStatement
  | definitions.DefinitionStatement
  | administration.AdministrationStatement
  | routines.CompoundStatement

export type Node =
  | Statement
  | expressions.Expression
  | Account
  | Identifier
  | ObjectName
  | Option
  | administration.GrantLevel
  | administration.Privilege
  | parts.TableElement
  | parts.KeyPart
  | parts.PartitionDefinition
  | parts.Partitioning
  | parts.References
  | definitions.AlterAction
  | definitions.RoutineParameter
  | definitions.TableRename
  | dml.Assignment
  | dml.InsertRows
  | dml.InsertSet
  | dml.Portion
  | dml.RowAlias
  | expressions.CaseBranch
  | queries.Alias
  | queries.CommonTable
  | queries.Frame
  | queries.FrameBound
  | queries.GroupBy
  | queries.IndexHint
  | queries.Into
  | queries.JsonTableColumn
  | queries.Limit
  | queries.Locking
  | queries.NamedWindow
  | queries.OrderItem
  | queries.QueryBody
  | queries.SelectItem
  | queries.SetBranch
  | queries.SystemTime
  | queries.TableReference
  | queries.WindowSpecification
  | queries.With
  | routines.ConditionalBranch
  | routines.CursorParameter
  | routines.Declaration
  | routines.DiagnosticsItem
  | session.DynamicText
  | session.PreparedText
  | session.SetItem
  | session.TableLock
  | types.DataType
  | types.TypeField

export type NodeKind = Node['kind']
