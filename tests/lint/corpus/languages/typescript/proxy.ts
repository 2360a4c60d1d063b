import axios from 'axios';

export async function instanceType(token: string): Promise<string> {
  const headers = { 'X-aws-ec2-metadata-token': token };
  const proxy = { host: 'proxy.example.com', port: 3128 };
  const answer = await axios.get('http://169.254.169.254/latest/meta-data/instance-type', { headers, proxy });
  return answer.data;
}
