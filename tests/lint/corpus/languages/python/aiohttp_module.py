import aiohttp


async def kind():
    answer = await aiohttp.get("http://169.254.169.254/latest/meta-data/instance-type")
    return await answer.text()
