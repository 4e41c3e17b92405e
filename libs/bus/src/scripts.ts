import { RedisScript } from '#libs/redis';

const at = (name: string): URL => new URL(`./lua/${name}.lua`, import.meta.url);

export const addEntries = RedisScript.load(at('add-entries'), 1);
export const takeRequests = RedisScript.load(at('take-requests'), 1);
export const deleteIdleConsumer = RedisScript.load(at('delete-idle-consumer'), 1);
export const giveUpEvent = RedisScript.load(at('give-up-event'), 2);
export const replaceMark = RedisScript.load(at('replace-mark'), 1);
