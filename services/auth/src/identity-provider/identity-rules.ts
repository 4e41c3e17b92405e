import { z } from 'zod';

const claimName = z.string().min(1).max(200);
const rulesMax = 200;

/**
 * What a provider's claims make of a user. Groups and roles that rules are given for are set at every sign-in, and belong to
 * the provider alone; without rules they are whoever's manages users. A claim that is not there has no values.
 */
export const identityRules = z
  .strictObject({
    /** The groups of a user: all that the values of this claim are mapped to. */
    groups: z
      .strictObject({
        claim: claimName,
        map: z
          .array(z.strictObject({ value: z.string().max(500), groups: z.array(z.string()).min(1).max(50) }))
          .max(rulesMax)
          .optional(),
        /** Values that are not in the map are names of groups themselves. */
        passThrough: z.boolean().optional(),
      })
      .optional(),
    attributes: z
      .array(z.strictObject({ claim: claimName, attribute: z.string().min(1).max(100) }))
      .max(rulesMax)
      .optional(),
    roles: z
      .strictObject({
        /** Of a user who signs in for the first time, and of one whom no rule below gives a role. */
        default: z.array(z.string()).max(20).optional(),
        map: z
          .array(
            z.strictObject({ claim: claimName, value: z.string().max(500), roles: z.array(z.string()).min(1).max(20) }),
          )
          .max(rulesMax)
          .optional(),
      })
      .optional(),
  })
  .readonly();

export type IdentityRules = z.infer<typeof identityRules>;
