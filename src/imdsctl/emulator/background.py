"""An emulator in a thread of its own, for tests and for commands that do something beside it."""

import asyncio
import threading
from types import TracebackType
from typing import Self

from imdsctl.emulator.server import Emulator
from imdsctl.emulator.settings import Settings


class Background:
    """Runs an emulator in a thread between `__enter__` and `__exit__`.

    Raises:
        OSError: an address or port cannot be used.
        ValueError: an option or value is wrong.
    """

    def __init__(self, settings: Settings) -> None:
        self.emulator = Emulator(settings)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="imdsctl-emulator", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            self._thread.join()
            raise self._failed
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self.emulator.start()
        except BaseException as error:  # noqa: BLE001 - raised again where it was started
            self._failed = error
            self._ready.set()
            return
        self._ready.set()
        await self._stop.wait()
        await self.emulator.stop()
