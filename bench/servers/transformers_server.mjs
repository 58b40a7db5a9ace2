// transformers_server.mjs — transformers.js behind node's own HTTP server, as its users serve it: one
// process, onnxruntime-node with its own choice of threads.
//
//     node transformers_server.mjs MODULES FOLDER SOCKET
//
// MODULES is the node_modules folder; FOLDER holds the model in ./model. The protocol is that of
// fastembed_server.py.

import http from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

process.env.ORT_DISABLE_TELEMETRY = '1';
const [modules, folder, socket] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + '/'));
const { pipeline, env } = await import(pathToFileURL(require.resolve('@huggingface/transformers')));

env.allowRemoteModels = false;
env.localModelPath = folder;
const extract = await pipeline('feature-extraction', 'model', { dtype: 'fp32' });

async function answer(body) {
    const { texts } = JSON.parse(body);
    const { data } = await extract(texts, { pooling: 'mean', normalize: true });
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => answer(Buffer.concat(parts).toString()).then(
        (bytes) => {
            response.writeHead(200, { 'Content-Type': 'application/octet-stream',
                                      'Content-Length': bytes.length });
            response.end(bytes);
        },
        (error) => {
            response.writeHead(500);
            response.end(String(error));
        }));
});
server.keepAliveTimeout = 600000; // a measured block of the other side may take long
server.listen(socket);
