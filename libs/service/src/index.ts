export { AccessRecorder, type AccessRecord } from './access-recorder.js';
export { bootstrap } from './bootstrap.js';
export { CLOCK } from './clock-token.js';
export { Lifecycle } from './lifecycle.js';
export { PeriodicTask } from './periodic-task.js';
export { PeriodicTasks } from './periodic-tasks.js';
export { secretControllerOf } from './secret-controller-of.js';
