import { z } from 'zod';
import type { Json } from '../base/canonical-json.ts';
import { problemSchema, runAnswerSchema } from './answer-schema.ts';
import { runBodySchema } from './run-schema.ts';
import { statusJsonSchema } from './status-schema.ts';

/** The OpenAPI 3.1 document of a service, of the same schemas that check its requests. */
export function openApiDocument(): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Rootcellar',
      version: '1',
      description: 'Runs code in cells. `/v1/sandbox/*` is the API of dify-sandbox, as its clients know it.',
    },
    security: [{ apiKey: [] }, { bearer: [] }, { basic: [] }],
    paths: {
      '/v1/run': { post: runOperation() },
      '/health': {
        get: { ...openOperation('Whether the service lives.'), responses: { 200: json('Always `"ok"`.', OK) } },
      },
      '/ready': { get: { ...openOperation('Whether it takes requests.'), responses: readyResponses() } },
      '/v1/status': {
        get: { summary: 'What `/` shows.', responses: { 200: json('It.', reference('Status')), 401: NO_KEY } },
      },
      '/metrics': { get: { summary: 'For Prometheus.', responses: { 200: METRICS, 401: NO_KEY } } },
      '/openapi.json': { get: { summary: 'This document.', responses: { 200: json('It.', { type: 'object' }) } } },
    },
    components: {
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
        basic: { type: 'http', scheme: 'basic', description: 'The key is the password.' },
      },
      schemas: {
        RunBody: schemaOf(runBodySchema(), 'input'),
        RunAnswer: schemaOf(runAnswerSchema(), 'output'),
        Status: schemaOf(statusJsonSchema(), 'output'),
        Problem: schemaOf(problemSchema(), 'output'),
      },
    },
  };
}

const OK: Json = { const: 'ok' };
const METRICS: Json = {
  description: 'In its text format.',
  content: { 'text/plain': { schema: { type: 'string' } } },
};
const NO_KEY: Json = problem('It has no key, or a wrong one.');

function runOperation(): Json {
  return {
    summary: 'Runs a program, and answers with its report.',
    parameters: [
      {
        name: 'Idempotency-Key',
        in: 'header',
        schema: { type: 'string', minLength: 1, maxLength: 255 },
        description:
          'The same key with the same request gives the same answer, without another run, for ten minutes. The run goes on when its client goes.',
      },
      {
        name: 'traceparent',
        in: 'header',
        schema: { type: 'string' },
        description: 'W3C Trace Context; made where it is missing.',
      },
    ],
    requestBody: { required: true, content: { 'application/json': { schema: reference('RunBody') } } },
    responses: {
      200: {
        description: 'It was run, however it fared: `report.status` says.',
        headers: { 'Server-Timing': { schema: { type: 'string' }, description: 'Milliseconds waited and run.' } },
        content: {
          'application/json': { schema: reference('RunAnswer') },
          'text/event-stream': {
            schema: { type: 'string' },
            example: 'event: stdout\ndata: {"text":"1\\n"}\n\nevent: report\ndata: {"report":{},"queue_ms":0}\n\n',
          },
        },
      },
      400: problem('It is malformed, or asks for more than the service allows.'),
      401: NO_KEY,
      404: problem('Another image is served.'),
      409: problem('Its `Idempotency-Key` was used for another request.'),
      413: problem('It is too large.'),
      429: problem('As many runs as the service takes are running and waiting: `Retry-After`.'),
      500: problem('The sandbox could not be set up: nothing was run.'),
      503: problem('The service has no image yet, or is stopping: `Retry-After`.'),
    },
  };
}

function openOperation(summary: string): Readonly<Record<string, Json>> {
  return { summary, security: [] };
}

function readyResponses(): Json {
  return {
    200: json('It does.', phaseSchema(['ready'])),
    503: json('Not yet, or no more.', phaseSchema(['preparing', 'draining'])),
  };
}

function phaseSchema(words: readonly string[]): Json {
  return { type: 'object', required: ['status'], properties: { status: { enum: words } } };
}

function json(description: string, schema: Json): Json {
  return { description, content: { 'application/json': { schema } } };
}

function problem(description: string): Json {
  return { description, content: { 'application/problem+json': { schema: reference('Problem') } } };
}

function reference(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

/** OpenAPI 3.1 takes JSON Schema as it is. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return z.json().parse(JSON.parse(JSON.stringify(rest)));
}
