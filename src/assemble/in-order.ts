/** The items one at a time, for a `for await` whose steps have to wait for one another. */
export async function* inOrder<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
