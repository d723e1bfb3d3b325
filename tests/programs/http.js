// SPDX-License-Identifier: MIT
// Downloads: http.js URL
require('http').get(process.argv[2], (answer) => answer.pipe(process.stdout))
  .on('error', (e) => { console.error(e.message); process.exit(1); });
