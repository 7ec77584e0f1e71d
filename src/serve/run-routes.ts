import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RootcellarError } from '../base/rootcellar-error.ts';
import { ClientStream, type StreamTerms } from './client-stream.ts';
import { eventText, OutputPieces } from './event-stream.ts';
import type { KeptAnswer, KeptRequest } from './kept-answers.ts';
import { problemBody } from './problem.ts';
import { bodyOf, clientSignal, timingText } from './request-facts.ts';
import type { RunAnswer, StreamedOutput } from './run-body.ts';
import { doWork, readWork, type RunWork } from './run-work.ts';
import type { ServiceParts } from './service-parts.ts';

/** `POST /v1/run`: code or files in, a report out; at once, or as events while the program runs. */
export function addRunRoutes(app: FastifyInstance, parts: ServiceParts, terms: AnswerTerms): void {
  app.post('/v1/run', async (request, reply) => {
    const { work, key } = check(request, parts);
    const longestMs = (work.order.limits.wallMs ?? 0) + terms.patienceMs;
    const stream = work.isStreamed ? new ClientStream(reply, { ...terms, longestMs }) : undefined;
    // Whoever gives a key means to come back for the answer, and so the run goes on without its client.
    const signal = key === undefined ? clientSignal(reply) : new AbortController().signal;
    let isOwn = false;
    const perform = (): Promise<KeptAnswer> => {
      isOwn = true;
      if (stream === undefined) return answerWhole(work, signal, parts);
      return answerInEvents(work, { signal, stream, isKept: key !== undefined }, parts);
    };
    try {
      const answer = await (key === undefined ? perform() : parts.kept.answer(key, perform));
      if (stream?.isOpen !== true) return send(reply, answer);
      if (!isOwn) await stream.write(answer.body);
      return reply;
    } catch (error) {
      if (isConflict(error)) parts.watch.requestRejected('idempotency_conflict');
      if (stream?.isOpen !== true) throw error;
      await stream.write(eventText('problem', problemBody(error)));
      return reply;
    } finally {
      stream?.end();
    }
  });
}

export type AnswerTerms = Omit<StreamTerms, 'longestMs'>;

interface CheckedRequest {
  readonly work: RunWork;
  readonly key: KeptRequest | undefined;
}

function check(request: FastifyRequest, parts: ServiceParts): CheckedRequest {
  try {
    return { work: readWork(request, parts), key: keyOf(request) };
  } catch (error) {
    const isTold = error instanceof RootcellarError && error.code === 'E_NOT_READY';
    if (!isTold) parts.watch.requestRejected('invalid');
    throw error;
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof RootcellarError && error.code === 'E_IDEMPOTENCY';
}

/** Of each holder of an API key, and for one request: the same words asked for in another form are another request. */
function keyOf(request: FastifyRequest): KeptRequest | undefined {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^[\u0020-\u007e]{1,255}$/.test(header)) {
    throw new RootcellarError('E_REQUEST', '`Idempotency-Key`: is empty, or longer than 255 characters', {
      hint: 'send a UUID',
    });
  }
  const digest = createHash('sha256')
    .update(`${request.headers.accept ?? ''}\n`)
    .update(bodyOf(request))
    .digest('hex');
  return { key: `${request.keyName}\n${header}`, digest };
}

function send(reply: FastifyReply, { status, contentType, timing, body }: KeptAnswer): FastifyReply {
  return reply.code(status).header('content-type', contentType).header('server-timing', timing).send(body);
}

async function answerWhole(work: RunWork, signal: AbortSignal, parts: ServiceParts): Promise<KeptAnswer> {
  const answer = await doWork(work, { signal }, parts);
  return keptAnswer(answer, 'application/json; charset=utf-8', JSON.stringify(answer));
}

function keptAnswer(answer: RunAnswer, contentType: string, body: string): KeptAnswer {
  const { report, queue_ms: queueMs } = answer;
  return { status: 200, contentType, body, timing: timingText(queueMs, report.time.wall_ms), isFinal: isRun(answer) };
}

function isRun({ report }: RunAnswer): boolean {
  return report.status !== 'rejected';
}

interface Streaming {
  readonly signal: AbortSignal;
  readonly stream: ClientStream;
  /** Whether all that is written is wanted again. */
  readonly isKept: boolean;
}

async function answerInEvents(work: RunWork, streaming: Streaming, parts: ServiceParts): Promise<KeptAnswer> {
  const { signal, stream, isKept } = streaming;
  const told: string[] = [];
  const tell = async (text: string): Promise<void> => {
    if (isKept) told.push(text);
    await stream.write(text);
  };
  const pieces = { stdout: new OutputPieces(), stderr: new OutputPieces() };
  const tellOutput = async (name: 'stdout' | 'stderr', output: StreamedOutput | undefined): Promise<void> => {
    if (output !== undefined) await tell(eventText(name, output));
  };
  const answer = await doWork(
    work,
    { signal, onOutput: (name, bytes) => tellOutput(name, pieces[name].next(bytes)) },
    parts,
  );
  for (const name of ['stdout', 'stderr'] as const) await tellOutput(name, pieces[name].last());
  await tell(eventText('report', answer));
  return keptAnswer(answer, 'text/event-stream; charset=utf-8', told.join(''));
}
