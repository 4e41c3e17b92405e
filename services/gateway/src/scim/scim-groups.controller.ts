import { once } from 'node:events';
import { Controller, Delete, Get, Param, Patch, Post, Put, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { scimRequests, type ScimGroup } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import type { RequestContext } from '../request/request-context.js';
import { ifMatch, isExcluded, ScimHttp } from './scim-http.js';
import { scimPath } from './scim-path.js';
import { listArgs, listBody } from './scim-lists.js';
import { patchOfGroup } from './scim-patches.js';
import { etagOf, groupResource, memberOf, parseGroup } from './scim-resource.js';

/** Groups. Lists are without members, which are read with one group, a page at a time: there may be very many. */
@Controller(`${scimPath}/Groups`)
export class ScimGroupsController {
  constructor(private readonly http: ScimHttp) {}

  @Get()
  async list(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async (context) => {
      const args = listArgs(request.query);
      const { groups, total } = await context.ask(scimRequests.listScimGroups, args);
      const base = this.http.baseOf(request);
      return {
        status: 200,
        body: listBody(
          groups.map((group) => groupResource(group, base)),
          total,
          args,
        ),
      };
    });
  }

  @Get(':id')
  async get(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.send(request, response, async (context) => {
      const filter = `id eq ${JSON.stringify(id)}`;
      const { groups } = await context.ask(scimRequests.listScimGroups, { filter, startIndex: 1, count: 1 });
      if (!groups[0]) throw new AppError('auth.group_not_found', 'There is no such group.');
      if (request.headers['if-none-match'] === etagOf(groups[0].version)) response.status(304).end();
      else await this.sendGroup(groups[0], 200, { request, response, context });
    });
  }

  @Post()
  async create(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.send(request, response, async (context) => {
      const { group } = await context.ask(scimRequests.createScimGroup, parseGroup(request.body));
      response.setHeader('location', `${this.http.baseOf(request)}/Groups/${group?.id ?? ''}`);
      await this.sendGroup(group, 201, { request, response, context });
    });
  }

  @Put(':id')
  async replace(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.send(request, response, async (context) => {
      const { displayName, externalId, memberIds } = parseGroup(request.body);
      const changes = [{ clears: true, addedIds: memberIds, removedIds: [] }];
      const input = { id, version: ifMatch(request), displayName, externalId, changes };
      const { group } = await context.ask(scimRequests.patchScimGroup, input);
      await this.sendGroup(group, 200, { request, response, context });
    });
  }

  @Patch(':id')
  async patch(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async (context) => {
      const input = { id, version: ifMatch(request), ...patchOfGroup(request.body) };
      const { group } = await context.ask(scimRequests.patchScimGroup, input);
      return { status: 204, headers: { etag: etagOf(group?.version ?? 0) } };
    });
  }

  @Delete(':id')
  async delete(@Param('id') id: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.answer(request, response, async (context) => {
      await context.ask(scimRequests.deleteScimGroup, { id, version: ifMatch(request) });
      return { status: 204 };
    });
  }

  private async sendGroup(
    group: ScimGroup | undefined,
    status: number,
    { request, response, context }: { request: Request; response: Response; context: RequestContext },
  ): Promise<void> {
    if (!group) throw new Error('no group came back');
    const base = this.http.baseOf(request);
    const head = JSON.stringify(groupResource(group, base));
    response.setHeader('etag', etagOf(group.version));
    response.status(status).type('application/scim+json');
    if (isExcluded(request, 'members')) {
      response.end(head);
      return;
    }
    let page = await context.ask(scimRequests.listScimMembers, { groupId: group.id, afterId: '' });
    response.write(`${head.slice(0, -1)},"members":[`);
    for (let comma = ''; page.members.length > 0; comma = ',') {
      const text = page.members.map((member) => JSON.stringify(memberOf(member, base))).join(',');
      if (!response.write(`${comma}${text}`)) await once(response, 'drain', { signal: context.signal });
      const afterId = page.members.at(-1)?.id ?? '';
      page = await context.ask(scimRequests.listScimMembers, { groupId: group.id, afterId });
    }
    response.end(']}');
  }
}
