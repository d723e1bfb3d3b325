// SPDX-License-Identifier: MIT
// Echo connections, three in the main thread and three in a worker: net.js HOST PORT
const { Worker, isMainThread, workerData, parentPort } = require('worker_threads');
const net = require('net');

function one(host, port, n) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host);
    let i = 0, got = '';
    const line = () => `${n} ${i} ${'x'.repeat(3000)}\n`;
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(line()));
    socket.on('data', (data) => {
      got += data;
      if (!got.endsWith('\n')) return;
      if (got !== line()) return reject(new Error(`connection ${n}: line ${i} is wrong`));
      got = '';
      if (++i === 150) return socket.end(() => resolve(n));
      setTimeout(() => socket.write(line()), 15);
    });
    socket.on('error', reject);
    socket.on('end', () => { if (i < 150) reject(new Error('early end')); });
  });
}

const some = (host, port, from) => Promise.all([0, 1, 2].map((k) => one(host, port, from + k)));

if (isMainThread) {
  const [host, port] = [process.argv[2], Number(process.argv[3])];
  const worker = new Promise((resolve, reject) => {
    const w = new Worker(__filename, { workerData: { host, port } });
    w.on('message', resolve);
    w.on('error', reject);
  });
  Promise.all([some(host, port, 0), worker]).then((r) => console.log(JSON.stringify(r)),
    (e) => { console.error(e.message); process.exit(1); });
} else {
  some(workerData.host, workerData.port, 100).then((r) => parentPort.postMessage(r), (e) => { throw e; });
}
