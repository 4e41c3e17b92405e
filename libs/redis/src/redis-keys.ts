/** Every key that is used directly, made in one place: `<prefix>:{<tag>}:<part>`. The tag keeps what belongs together on one slot. */
export class RedisKeys {
  constructor(readonly prefix: string) {}

  /** Requests to a service. */
  requests(service: string): string {
    return this.key(service, 'request:v1');
  }

  /** What one instance reads for itself: replies, and requests directed to it. */
  instance(instance: string): string {
    return this.key(`r:${instance}`, 'inbox');
  }

  events(area: string, version: number): string {
    return this.key(area, `event:v${version}`);
  }

  deadLetters(stream: string): string {
    return `${stream}:dead`;
  }

  /** There while nothing of a stream of events is known to be lost; see the outbox relay. */
  whole(stream: string): string {
    return `${stream}:whole`;
  }

  firehose(partition: number): string {
    return this.key(`ev:${partition}`, 'run');
  }

  /** A hash of revisions of a workspace, each under the name of what it counts changes of. */
  revisions(workspaceId: string): string {
    return this.key(`ws:${workspaceId}`, 'rev');
  }

  /** A copy of a stored page; those of a run lie together. */
  page(runId: string, fence: number | string, page: number | string): string {
    return this.key(`page:${runId}`, `${fence}:${page}`);
  }

  /** The tokens that someone has left. */
  bucket(subject: string): string {
    return this.key(`rate:${subject}`, 'bucket');
  }

  /** The prefix of BullMQ's own keys; a queue's name follows it. */
  get bull(): string {
    return `{${this.prefix}:bull}`;
  }

  private key(tag: string, part: string): string {
    return `${this.prefix}:{${tag}}:${part}`;
  }
}
