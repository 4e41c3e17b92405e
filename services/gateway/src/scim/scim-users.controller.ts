import { Controller, Delete, Get, Param, Patch, Post, Put, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { scimRequests, type ScimUser } from '#libs/contracts';
import { AppError, backoffMs, delay } from '#libs/kernel';
import type { RequestContext } from '../request/request-context.js';
import { listArgs, listBody } from './scim-lists.js';
import { ifMatch, ScimHttp, type ScimAnswer } from './scim-http.js';
import { scimPath } from './scim-path.js';
import { patchedUser } from './scim-patches.js';
import { etagOf, parseUser, userResource } from './scim-resource.js';

const patchAttemptsMax = 5;

@Controller(`${scimPath}/Users`)
export class ScimUsersController {
  constructor(private readonly http: ScimHttp) {}

  @Get()
  async list(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async (context) => {
      const args = listArgs(request.query);
      const { users, total } = await context.ask(scimRequests.listScimUsers, args);
      const base = this.http.baseOf(request);
      return {
        status: 200,
        body: listBody(
          users.map((user) => userResource(user, base)),
          total,
          args,
        ),
      };
    });
  }

  @Get(':id')
  async get(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async (context) => {
      const user = await find(id, context);
      if (request.headers['if-none-match'] === etagOf(user.version)) return { status: 304 };
      return this.answerOf(request, user, 200);
    });
  }

  @Post()
  async create(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async (context) => {
      const { user } = await context.ask(scimRequests.createScimUser, { fields: parseUser(request.body) });
      const answer = this.answerOf(request, user, 201);
      return {
        ...answer,
        headers: { ...answer.headers, location: `${this.http.baseOf(request)}/Users/${user?.id ?? ''}` },
      };
    });
  }

  @Put(':id')
  async replace(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async (context) => {
      const input = { id, version: ifMatch(request), fields: parseUser(request.body) };
      return this.answerOf(request, (await context.ask(scimRequests.replaceScimUser, input)).user, 200);
    });
  }

  @Patch(':id')
  async patch(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async (context) => {
      for (let attempt = 0; ; attempt += 1) {
        try {
          return this.answerOf(request, await this.patchOnce(id, request, context), 200);
        } catch (error) {
          // Somebody came between the reading and the writing: whoever named no version wants it done all the same.
          const isRace =
            error instanceof AppError && error.code === 'entity.conflict' && ifMatch(request) === undefined;
          if (!isRace || attempt + 1 >= patchAttemptsMax) throw error;
          await delay(backoffMs(attempt, { initialMs: 10, maxMs: 200 }));
        }
      }
    });
  }

  @Delete(':id')
  async delete(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async (context) => {
      await context.ask(scimRequests.deleteScimUser, { id, version: ifMatch(request) });
      return { status: 204 };
    });
  }

  private async patchOnce(id: string, request: Request, context: RequestContext): Promise<ScimUser | undefined> {
    const user = await find(id, context);
    const fields = parseUser(patchedUser(userResource(user, ''), request.body));
    const version = ifMatch(request) ?? user.version;
    return (await context.ask(scimRequests.replaceScimUser, { id, version, fields })).user;
  }

  private answerOf(request: Request, user: ScimUser | undefined, status: number): ScimAnswer {
    if (!user) throw new Error('no user came back');
    return { status, body: userResource(user, this.http.baseOf(request)), headers: { etag: etagOf(user.version) } };
  }
}

async function find(id: string, context: RequestContext): Promise<ScimUser> {
  const filter = `id eq ${JSON.stringify(id)}`;
  const { users } = await context.ask(scimRequests.listScimUsers, { filter, startIndex: 1, count: 1 });
  if (!users[0]) throw new AppError('auth.user_not_found', 'There is no such user.');
  return users[0];
}
