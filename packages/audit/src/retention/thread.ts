/** The thread that reads segments past their time: see plan.ts. */

import { constants, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { type PlanTask, planPruning } from './plan.ts'

// On Linux this is the priority of the calling thread alone; elsewhere it would be the whole process's.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW)

// Safe: prune.ts starts this thread with exactly this.
parentPort?.postMessage(await planPruning(workerData as PlanTask))
