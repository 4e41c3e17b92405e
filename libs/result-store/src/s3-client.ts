import type { S3 } from '@aws-sdk/client-s3';

/** Where the objects lie and who may reach them. */
export interface S3Place {
  readonly bucket: string;
  /** In front of every key: empty, or such as `sluice/`. */
  readonly prefix: string;
  /** Undefined: as the SDK finds it, for AWS itself. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly pathStyle: boolean;
  /** `chain`: as the SDK finds them: environment, profile, web identity, the machine's role. */
  readonly credentials:
    | { readonly kind: 'chain' }
    | { readonly kind: 'keys'; readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly timeoutMs: number;
  readonly attempts: number;
}

/** Connections of one process: what is beyond waits in line. */
const socketsMax = 64;
const connectTimeoutMs = 3_000;

/** A client of the AWS SDK, which is 13 MB of code and so loaded by those alone who use it. */
export async function s3Client(place: S3Place): Promise<S3> {
  const { S3 } = await import('@aws-sdk/client-s3');
  const { endpoint, region, credentials } = place;
  return new S3({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    // The SDK writes into what it is given, and settings are frozen.
    ...(credentials.kind === 'keys' ? { credentials: { ...credentials } } : {}),
    forcePathStyle: place.pathStyle,
    maxAttempts: place.attempts,
    requestHandler: {
      connectionTimeout: connectTimeoutMs,
      requestTimeout: place.timeoutMs,
      throwOnRequestTimeout: true,
      // The body of an answer is read behind the request's own timeout.
      socketTimeout: place.timeoutMs,
      httpAgent: { maxSockets: socketsMax },
      httpsAgent: { maxSockets: socketsMax },
    },
    // Pages have a SHA-256 of their own, and not every S3 takes the SDK's checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}
