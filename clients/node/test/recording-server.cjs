'use strict';

const http = require('node:http');

/** An HTTP server that keeps every request whole and answers with what the test queued. */
class RecordingServer {
  requests = [];
  #answers = [];

  static async start() {
    const recording = new RecordingServer();
    recording.server = http.createServer((request, response) => recording.#serve(request, response));
    await new Promise(resolve => recording.server.listen(0, '127.0.0.1', resolve));
    recording.port = recording.server.address().port;
    return recording;
  }

  answer(status, body = '', headers = {}) {
    this.#answers.push({ status, body, headers });
  }

  get last() {
    return this.requests[this.requests.length - 1];
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise(resolve => this.server.close(resolve));
  }

  async #serve(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url, 'http://recorded');
    this.requests.push({
      method: request.method,
      path: decodeURIComponent(url.pathname),
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: Buffer.concat(chunks)
    });
    const { status, body, headers } = this.#answers.shift() ?? { status: 500, body: 'no answer queued', headers: {} };
    response.writeHead(status, { 'x-oss-request-id': '0123456789ABCDEF01234567', ...headers });
    response.end(body);
  }
}

module.exports = { RecordingServer };
