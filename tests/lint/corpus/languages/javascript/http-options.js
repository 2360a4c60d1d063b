const http = require('http');
const options = {
  hostname: '169.254.169.254',
  port: 80,
  path: '/latest/meta-data/placement/availability-zone',
  method: 'GET',
};

const req = http.request(options, (res) => {
  if (res.statusCode !== 200) throw new Error(`metadata answered ${res.statusCode}`);
  res.setEncoding('utf8');
  res.on('data', (zone) => console.log(zone.slice(0, -1)));
});
req.end();
