// SPDX-License-Identifier: MIT
// fetch() by a slow reader, HTTP/2 streams, and children of cluster: fetch.js URL HTTP2-ORIGIN
const cluster = require('cluster');
const crypto = require('crypto');
const http2 = require('http2');
const { setTimeout: wait } = require('timers/promises');

const [url, origin] = process.argv.slice(2);

async function slowly() {
  const hash = crypto.createHash('sha256');
  const answer = await fetch(url);
  for await (const part of answer.body) {
    hash.update(part);
    if (Math.random() < 0.05) await wait(20);
  }
  return hash.digest('hex');
}

function streams() {
  const session = http2.connect(origin);
  const one = () => new Promise((resolve, reject) => {
    const hash = crypto.createHash('sha256');
    const request = session.request({ ':path': '/file' });
    request.on('data', (part) => hash.update(part));
    request.on('end', () => resolve(hash.digest('hex')));
    request.on('error', reject);
  });
  session.on('error', (e) => { console.error(e); process.exit(1); });
  return Promise.all([one(), one()]).then((r) => { session.close(); return r; });
}

if (cluster.isPrimary) {
  const got = [];
  for (const what of ['slowly', 'streams']) cluster.fork({ WHAT: what }).on('message', (m) => got.push([what, m]));
  cluster.on('exit', () => {
    if (Object.keys(cluster.workers).length) return;
    console.log(JSON.stringify(got.sort()));
    process.exit(got.length === 2 ? 0 : 1);
  });
} else {
  (process.env.WHAT === 'slowly' ? slowly() : streams()).then(
    (r) => process.send(r, () => process.exit(0)), (e) => { console.error(e); process.exit(1); });
}
