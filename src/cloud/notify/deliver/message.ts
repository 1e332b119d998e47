import type { Notice } from '../notice.ts';

/** What is brought to a receiver. The id stays over all attempts, so that who gets it twice can tell. */
export interface Message {
  readonly id: string;
  readonly notice: Notice;
}
