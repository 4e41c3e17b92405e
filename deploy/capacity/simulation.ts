import { quantileSorted } from 'simple-statistics';
import TinyQueue from 'tinyqueue';
import { RandomTimes } from './random-times.ts';
import { Station, type Agenda } from './station.ts';

/** A stop of a question at a station. */
export interface Stop {
  readonly station: string;
  readonly seconds: number;
  /** Standard deviation over mean. */
  readonly variation: number;
  /** Holds the server for so much longer, always. */
  readonly overheadSeconds?: number;
}

/** A kind of question, with the stops that it makes one after the other. */
export interface QuestionKind {
  readonly name: string;
  /** Of all questions. */
  readonly share: number;
  readonly stops: readonly Stop[];
}

export interface System {
  /** The servers of each station; Infinity where nobody waits. */
  readonly stations: Readonly<Record<string, number>>;
  readonly kinds: readonly QuestionKind[];
}

/** Either users who look, think and ask again, or questions that come at random whatever has become of those before. */
export type Load =
  | { readonly users: number; readonly thinkSeconds: number; readonly questionsPerView: number }
  | { readonly arrivalsPerSecond: number };

export interface Simulated {
  readonly questionsPerSecond: number;
  readonly all: Times;
  readonly kinds: Readonly<Record<string, Times>>;
  readonly stations: Readonly<Record<string, { inUse: number; waitMeanSeconds: number; waitP95Seconds: number }>>;
}

export interface Times {
  readonly count: number;
  readonly meanSeconds: number;
  readonly p50Seconds: number;
  readonly p95Seconds: number;
  readonly p99Seconds: number;
}

interface Span {
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly seed: number;
}

/** Plays the load against the system, event by event. The same seed plays the same. */
export function simulate(system: System, load: Load, { warmUpSeconds, seconds, seed }: Span): Simulated {
  const play = new Play(system, seed);
  if ('users' in load) play.letUsersAsk(load);
  else play.letQuestionsCome(load.arrivalsPerSecond);
  play.run(warmUpSeconds);
  play.beginCounting();
  play.run(warmUpSeconds + seconds);
  return play.found(seconds);
}

interface Event {
  readonly at: number;
  readonly act: () => void;
}

class Play implements Agenda {
  private clock = 0;
  private readonly events = new TinyQueue<Event>([], (a, b) => a.at - b.at);
  private readonly random: RandomTimes;
  private readonly stations: Map<string, Station>;
  private readonly times: Map<string, number[]>;

  private readonly system: System;

  constructor(system: System, seed: number) {
    this.system = system;
    this.random = new RandomTimes(seed);
    this.stations = new Map(
      Object.entries(system.stations).map(([name, servers]) => [name, new Station(servers, this)]),
    );
    this.times = new Map(system.kinds.map(({ name }) => [name, []]));
  }

  now(): number {
    return this.clock;
  }

  after(seconds: number, act: () => void): void {
    this.events.push({ at: this.clock + seconds, act });
  }

  run(until: number): void {
    for (let event = this.events.peek(); event && event.at <= until; event = this.events.peek()) {
      this.events.pop();
      this.clock = event.at;
      event.act();
    }
    this.clock = until;
  }

  letUsersAsk({ users, thinkSeconds, questionsPerView }: Extract<Load, { users: number }>): void {
    const think = (): void => this.after(this.random.exponential(thinkSeconds), look);
    const look = (): void => {
      let open = questionsPerView;
      // All tiles of a view at once; who has seen the last one thinks again.
      for (let tile = 0; tile < questionsPerView; tile += 1) {
        this.ask(() => {
          open -= 1;
          if (open === 0) think();
        });
      }
    };
    for (let user = 0; user < users; user += 1) think();
  }

  letQuestionsCome(perSecond: number): void {
    const come = (): void => {
      this.ask(() => undefined);
      this.after(this.random.exponential(1 / perSecond), come);
    };
    this.after(this.random.exponential(1 / perSecond), come);
  }

  beginCounting(): void {
    for (const station of this.stations.values()) station.beginCounting();
    for (const times of this.times.values()) times.length = 0;
  }

  found(seconds: number): Simulated {
    const all = [...this.times.values()].flat();
    return {
      questionsPerSecond: all.length / seconds,
      all: timesOf(all),
      kinds: Object.fromEntries([...this.times].map(([name, times]) => [name, timesOf(times)])),
      stations: Object.fromEntries(
        [...this.stations].map(([name, station]) => {
          const { meanSeconds, p95Seconds } = timesOf(station.waits);
          return [name, { inUse: station.inUse(seconds), waitMeanSeconds: meanSeconds, waitP95Seconds: p95Seconds }];
        }),
      ),
    };
  }

  private ask(answered: () => void): void {
    const { name, stops } = this.chooseKind();
    const since = this.clock;
    const go = (index: number): void => {
      const stop = stops[index];
      if (stop) {
        const { station, seconds, variation, overheadSeconds = 0 } = stop;
        this.station(station).enter(this.random.around(seconds, variation) + overheadSeconds, () => go(index + 1));
        return;
      }
      this.times.get(name)?.push(this.clock - since);
      answered();
    };
    go(0);
  }

  private chooseKind(): QuestionKind {
    let left = this.random.share();
    const chosen = this.system.kinds.find(({ share }) => (left -= share) < 0) ?? this.system.kinds.at(-1);
    if (!chosen) throw new Error('A system without kinds of questions has nothing to ask.');
    return chosen;
  }

  private station(name: string): Station {
    const station = this.stations.get(name);
    if (!station) throw new Error(`A question stops at ${name}, which is no station.`);
    return station;
  }
}

function timesOf(values: readonly number[]): Times {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => (sorted.length === 0 ? 0 : quantileSorted(sorted, share));
  const sum = values.reduce((total, value) => total + value, 0);
  return {
    count: values.length,
    meanSeconds: values.length === 0 ? 0 : sum / values.length,
    ...{ p50Seconds: at(0.5), p95Seconds: at(0.95), p99Seconds: at(0.99) },
  };
}
