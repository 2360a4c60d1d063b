import asyncio

import aiohttp

IMDS = "http://169.254.169.254"


async def metadata(path):
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        async with session.put(
            f"{IMDS}/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        ) as response:
            token = await response.text() if response.status == 200 else None
        if token:
            headers = {"X-aws-ec2-metadata-token": token}
            async with session.get(f"{IMDS}/latest/{path}", headers=headers) as response:
                response.raise_for_status()
                return await response.text()
        else:
            async with session.get(f"{IMDS}/latest/{path}") as response:
                response.raise_for_status()
                return await response.text()


asyncio.run(metadata("meta-data/instance-type"))
