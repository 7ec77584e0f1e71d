import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import type { OutputListener } from '../run/launch-cell.ts';
import type { StreamedOutput } from '../serve/run-body.ts';
import { refusalOf } from './service-refusal.ts';
import { foreignAnswer, jsonOf, runResult, type RunResult } from './run-result.ts';

const OUTPUT: z.ZodType<StreamedOutput> = z.union([z.object({ text: z.string() }), z.object({ base64: z.string() })]);

/**
 * Hands on output as it comes, and gives what ends the stream. Undefined: it ended before that. Reads no further while
 * `onOutput` is at work.
 */
export async function eventResult(
  body: ReadableStream<Uint8Array>,
  onOutput: OutputListener,
): Promise<RunResult | undefined> {
  const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { event, data } of events) {
    if (event === 'stdout' || event === 'stderr') await onOutput(event, outputBytes(data));
    if (event === 'report') return runResult(data);
    if (event === 'problem') throw refusalOf(200, data);
  }
  return undefined;
}

function outputBytes(data: string): Uint8Array {
  const output = OUTPUT.safeParse(jsonOf(data));
  if (!output.success) throw foreignAnswer('has an event that cannot be read', { cause: output.error });
  return 'text' in output.data ? Buffer.from(output.data.text, 'utf8') : Buffer.from(output.data.base64, 'base64');
}
