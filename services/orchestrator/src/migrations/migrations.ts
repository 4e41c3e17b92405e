import { CreateOrchestrator1795219300000 } from './1795219300000-create-orchestrator.js';
import { AccountsOfGuests1795560000000 } from './1795560000000-accounts-of-guests.js';
import { AcceptInOneStatement1795240000000 } from './1795240000000-accept-in-one-statement.js';
import { GuestsCountAsTheirAccount1795500000000 } from './1795500000000-guests-count-as-their-account.js';
import { FairQueue1795280000000 } from './1795280000000-fair-queue.js';
import { GuestsJoinWithTheirAccount1797030000000 } from './1797030000000-guests-join-with-their-account.js';
import { OldCacheRevisionsGo1797050000000 } from './1797050000000-old-cache-revisions-go.js';
import { HitsMayBeRepeatedAgain1796480000000 } from './1796480000000-hits-may-be-repeated-again.js';
import { KeepResults1795250000000 } from './1795250000000-keep-results.js';
import { PlanOnce1795282000000 } from './1795282000000-plan-once.js';
import { PlanRepeatedHitsOnce1795335000000 } from './1795335000000-plan-repeated-hits-once.js';
import { SlowRuns1795538000000 } from './1795538000000-slow-runs.js';
import { HowLongRunsTake1797020000000 } from './1797020000000-how-long-runs-take.js';
import { WaitForThePool1797080000000 } from './1797080000000-wait-for-the-pool.js';
import { WorkerBindings1795320000000 } from './1795320000000-worker-bindings.js';
import { OrderOfDrains1797000000000 } from './1797000000000-order-of-drains.js';
import { RepeatedRequestsAreAnsweredAsRecorded1797010000000 } from './1797010000000-repeated-requests-are-answered-as-recorded.js';
import { RepeatHits1795260000000 } from './1795260000000-repeat-hits.js';
import { WarmUpsOfTheWorkspace1795330000000 } from './1795330000000-warm-ups-of-the-workspace.js';
import { WarmUpsAndHistory1795310000000 } from './1795310000000-warm-ups-and-history.js';
import { Webhooks1795360000000 } from './1795360000000-webhooks.js';

/** Oldest first. */
export const migrations = [
  CreateOrchestrator1795219300000,
  AcceptInOneStatement1795240000000,
  KeepResults1795250000000,
  RepeatHits1795260000000,
  FairQueue1795280000000,
  PlanOnce1795282000000,
  WarmUpsAndHistory1795310000000,
  WorkerBindings1795320000000,
  WarmUpsOfTheWorkspace1795330000000,
  PlanRepeatedHitsOnce1795335000000,
  Webhooks1795360000000,
  GuestsCountAsTheirAccount1795500000000,
  SlowRuns1795538000000,
  AccountsOfGuests1795560000000,
  HitsMayBeRepeatedAgain1796480000000,
  OrderOfDrains1797000000000,
  RepeatedRequestsAreAnsweredAsRecorded1797010000000,
  HowLongRunsTake1797020000000,
  GuestsJoinWithTheirAccount1797030000000,
  OldCacheRevisionsGo1797050000000,
  WaitForThePool1797080000000,
];
