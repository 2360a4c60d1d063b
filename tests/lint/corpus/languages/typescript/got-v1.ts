import got from 'got';

const ROOT: string = 'http://169.254.169.254';

export class InstanceInfo {
  async document(): Promise<Record<string, string>> {
    return got(`${ROOT}/latest/dynamic/instance-identity/document`, { timeout: { request: 500 } }).json();
  }
}
