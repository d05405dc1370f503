"""fakepve as a process of its own, over HTTPS: an independent second opinion on what Proxmox answers, and a source of faults.

Prints one line of JSON (url, CA file); then takes faults as lines of JSON on its input (arguments of `FakePve.fail`) and
prints `ok` for each. Its known differences from Proxmox are listed in `proxmox-truth.md` 1.4.
"""

import asyncio
import json
import sys

from fakepve import FakePve
from fakepve.certs import make_cert


async def main(folder):
    pve = FakePve(host="127.0.0.1", port=0)
    pve.apitokens["root@pam!lab"] = "s"
    pve.add_vm(9000, "template", template=True, config={"scsi0": "local:base-9000-disk-0,size=4G", "cores": 1, "memory": 512})
    pve.add_vm(100, "plain", config={"scsi0": "local:vm-100-disk-0,size=4G", "cores": 1, "memory": 512})
    cert, key, _ = make_cert(folder, hosts=("127.0.0.1",))
    await pve.start(cert, key)
    print(json.dumps({"url": f"https://127.0.0.1:{pve.port}", "ca": cert}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        fault = json.loads(line)
        pve.fail(fault.pop("method"), fault.pop("suffix"), **fault)
        print("ok", flush=True)


asyncio.run(main(sys.argv[1]))
