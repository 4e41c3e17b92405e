interface Visit {
  readonly seconds: number;
  readonly since: number;
  readonly done: () => void;
}

/** When the simulation is, and what it shall do later. */
export interface Agenda {
  now(): number;
  after(seconds: number, act: () => void): void;
}

/** Servers with one queue, first come first served; an infinite number of them is a pure delay. */
export class Station {
  private busy = 0;
  private waiting: Visit[] = [];
  /** Of `waiting`, those before have been served: shifting an array of many is slow. */
  private next = 0;
  private busySeconds = 0;
  private countedAt = 0;
  readonly waits: number[] = [];

  private readonly servers: number;
  private readonly agenda: Agenda;

  constructor(servers: number, agenda: Agenda) {
    this.servers = servers;
    this.agenda = agenda;
  }

  enter(seconds: number, done: () => void): void {
    const visit = { seconds, done, since: this.agenda.now() };
    if (this.busy < this.servers) this.serve(visit);
    else this.waiting.push(visit);
  }

  /** Forgets what was before: the simulation has run itself in. */
  beginCounting(): void {
    this.waits.length = 0;
    this.count();
    this.busySeconds = 0;
  }

  /** Servers in use on average, since counting began `seconds` ago. */
  inUse(seconds: number): number {
    this.count();
    return this.busySeconds / seconds;
  }

  private serve({ seconds, since, done }: Visit): void {
    this.count();
    this.busy += 1;
    this.waits.push(this.agenda.now() - since);
    this.agenda.after(seconds, () => {
      this.leave();
      done();
    });
  }

  private leave(): void {
    this.count();
    this.busy -= 1;
    const visit = this.waiting[this.next];
    if (!visit) return;
    this.next += 1;
    if (this.next === this.waiting.length) {
      this.waiting = [];
      this.next = 0;
    }
    this.serve(visit);
  }

  private count(): void {
    const now = this.agenda.now();
    this.busySeconds += this.busy * (now - this.countedAt);
    this.countedAt = now;
  }
}
