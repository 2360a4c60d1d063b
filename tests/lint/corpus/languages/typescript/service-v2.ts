import axios, { AxiosInstance } from 'axios';

export class ImdsService {
  private readonly http: AxiosInstance;
  private token?: string;

  constructor() {
    this.http = axios.create({ baseURL: 'http://169.254.169.254/latest', proxy: false });
  }

  private async headers(): Promise<Record<string, string>> {
    if (!this.token) {
      const response = await this.http.put<string>('/api/token', undefined, {
        headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '300' },
      });
      this.token = response.data;
    }
    return { 'X-aws-ec2-metadata-token': this.token };
  }

  async get(path: string): Promise<string> {
    const { data } = await this.http.get<string>(`/meta-data/${path}`, { headers: await this.headers() });
    return data;
  }
}
