/** The part of picomatch 4 that is used; the package brings no types. */
declare module 'picomatch' {
  interface Options {
    readonly dot?: boolean;
    readonly nonegate?: boolean;
    readonly noextglob?: boolean;
    readonly regex?: boolean;
    readonly strictBrackets?: boolean;
    readonly maxLength?: number;
  }

  interface Picomatch {
    makeRe(pattern: string, options?: Options): RegExp;
  }

  const picomatch: Picomatch;
  export default picomatch;
}
