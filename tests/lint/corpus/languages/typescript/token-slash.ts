const imds = 'http://169.254.169.254/latest/api/';

export async function token(): Promise<string> {
  const lifetime = { 'X-aws-ec2-metadata-token-ttl-seconds': '21600' };
  const response = await fetch(`${imds}token/`, { method: 'PUT', headers: lifetime });
  if (!response.ok) {
    throw new Error(await response.text());
  }
  return await response.text();
}
