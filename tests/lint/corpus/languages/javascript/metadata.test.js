const nock = require('nock');
const axios = require('axios');

describe('metadata', () => {
  it('asks for the instance id', async () => {
    nock('http://169.254.169.254').get('/latest/meta-data/instance-id').reply(200, 'i-0abc');
    const { data } = await axios.get('http://169.254.169.254/latest/meta-data/instance-id');
    expect(data).toBe('i-0abc');
  });
});
