import { Inject } from '@nestjs/common';

/** The token under which a service's loaded configuration is provided. */
export const CONFIG = Symbol.for('sluice.config');

export function InjectConfig(): ParameterDecorator & PropertyDecorator {
  return Inject(CONFIG);
}
