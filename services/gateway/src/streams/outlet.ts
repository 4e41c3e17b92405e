import type { AppError } from '#libs/kernel';
import type { ConnectionRoom } from './connection-room.js';
import type { Payload } from './payload.js';

/** Where the events of one subscription go. Nothing is queued in it: whoever sends looks for room first. */
export interface Outlet {
  readonly room: ConnectionRoom;
  send(payload: Payload): void;
  /** Ends the connection so that its client resumes: something passing is in the way, or its credentials are good no more. */
  interrupt(cause: AppError): void;
}
