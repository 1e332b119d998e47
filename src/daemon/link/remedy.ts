import { Refusal } from './refusal.ts';
import { NoToken } from './token.ts';

export interface Places {
  readonly tokenFile: string;
  readonly credentialFile: string;
}

/** What is to be done about a join that failed, or null where nothing but time helps. */
export function joinRemedy(error: unknown, { tokenFile }: Places): string | null {
  if (error instanceof NoToken) return `put a join token of the cloud into ${tokenFile}`;
  if (!(error instanceof Refusal)) return null;
  switch (error.status) {
    case 401:
      return `the token in ${tokenFile} is not known, has been used or is too old: put a new one in its place`;
    case 403:
      return 'the cloud does not let this host join: ask whoever runs it';
    case 409:
      return 'the cloud has another host of this name: give this one another (join.name), or remove that one there';
    default:
      return null;
  }
}

/** The same for a link. */
export function linkRemedy(error: unknown, { tokenFile, credentialFile }: Places): string | null {
  if (!(error instanceof Refusal)) return null;
  switch (error.status) {
    case 401:
      return `the cloud does not know this host (any more): to join anew, stop rocksyd, remove ${credentialFile} and put a new token into ${tokenFile}`;
    case 403:
      return 'the cloud does not let this host in: ask whoever runs it';
    case 409:
      return `another daemon may be using the credential of this one: if the state folder was copied, remove ${credentialFile} from the copy and put a new token into ${tokenFile}`;
    default:
      return null;
  }
}
