import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { throwError, type Observable } from 'rxjs';

/**
 * Lets errors through to the bus as they are; Nest would make "Internal server error" of them. `translate` knows errors of
 * what a service stands on, of which the bus knows nothing.
 */
@Catch()
export class AppErrorFilter implements RpcExceptionFilter {
  constructor(private readonly translate: (error: unknown) => unknown = (error) => error) {}

  catch(error: unknown): Observable<never> {
    return throwError(() => this.translate(error));
  }
}
