'use strict';
const http = require('http');

function instanceId(callback) {
  http.get('http://169.254.169.254/latest/meta-data/instance-id', (res) => {
    let body = '';
    res.on('data', (chunk) => { body += chunk; });
    res.on('end', () => callback(null, body));
  }).on('error', callback);
}

module.exports = { instanceId };
