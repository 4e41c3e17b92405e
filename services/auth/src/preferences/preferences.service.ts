import { Injectable } from '@nestjs/common';
import type { Preferences, preferencesRequests, RequestOf } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { AppError, isId } from '#libs/kernel';
import { parsePreferencesChange } from './preferences.input.js';
import { PreferencesRepository } from './preferences.repository.js';

/** What a person likes to see, kept for every frontend. It gives no right, so nobody is told of a change. */
@Injectable()
export class PreferencesService {
  constructor(private readonly preferences: PreferencesRepository) {}

  /** A guest has those of its token. Undefined: a program, which has none. */
  async get({ workspaceId, userId, guest }: Principal): Promise<Preferences | undefined> {
    if (guest) return { timeZone: guest.timeZone, locale: guest.locale };
    return isId('user', userId) ? this.preferences.find({ workspaceId, id: userId }) : undefined;
  }

  /** One's own, by nobody else and by no key. */
  async update(
    input: RequestOf<typeof preferencesRequests.updatePreferences>,
    { workspaceId, userId, sessionId }: Principal,
  ): Promise<Preferences> {
    if (sessionId === undefined) {
      throw new AppError('auth.forbidden', 'Only a person who is signed in has preferences to change.');
    }
    return this.preferences.change({ workspaceId, id: userId }, parsePreferencesChange(input));
  }
}
