/** What of Rocksy's types is used here. In an application of its own `npm install rocksy` brings them. */
declare module 'rocksy/job' {
  export interface Context {
    progress(percent: number, text?: string): void;
  }
}
