import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/**
 * As gin does, on which dify-sandbox stands: 404 for what is not there, whatever the method is; a path with one slash too many or
 * too few is led to the right one.
 */
export function sendNothingThere(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { method, url } = request;
  const [, path = '', query = ''] = /^([^?]*)(\?.*)?$/s.exec(url) ?? [];
  const other = path.endsWith('/') ? path.slice(0, -1) : `${path}/`;
  if (other !== '' && (method === 'GET' || method === 'POST') && app.hasRoute({ method, url: other })) {
    return reply.redirect(`${other}${query}`, method === 'GET' ? 301 : 307);
  }
  return reply.code(404).header('content-type', 'text/plain').send('404 page not found');
}
