const axios = require('axios');

const imds = axios.create({ baseURL: 'http://169.254.169.254/latest', timeout: 1000 });

async function main() {
  const { data: token } = await imds.put('/api/token', null, {
    headers: { 'X-aws-ec2-metadata-token-ttl-seconds': 60 },
  });
  const headers = { 'X-aws-ec2-metadata-token': token };
  const id = (await imds.get('/meta-data/instance-id', { headers })).data;
  // added later
  const region = (await imds.get('/meta-data/placement/region')).data;
  console.log(id, region);
}

main();
