# A Modbus server that we did not write (pymodbus, of the distribution's version), with values that tests know:
# holding register n is 7 n + 3, input register n is 1000 + n, every third coil is on, every second discrete input.
# Words: how ("tcp", "rtu-tcp", "ascii-tcp", "udp", "rtu", "ascii") and where (a port, or the path of a serial port).
import sys

how, where = sys.argv[1:3]

try:  # 3.7 and later
    from pymodbus.framer import FramerType

    framers = {"rtu": FramerType.RTU, "ascii": FramerType.ASCII, "tcp": FramerType.SOCKET}
except ImportError:
    from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer, ModbusSocketFramer

    framers = {"rtu": ModbusRtuFramer, "ascii": ModbusAsciiFramer, "tcp": ModbusSocketFramer}
try:
    from pymodbus.server import StartSerialServer, StartTcpServer, StartUdpServer
except ImportError:  # 2
    from pymodbus.server.sync import StartSerialServer, StartTcpServer, StartUdpServer
try:
    from pymodbus.device import ModbusDeviceIdentification
except ImportError:
    from pymodbus import ModbusDeviceIdentification
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext

try:
    from pymodbus.datastore import ModbusSlaveContext as UnitContext
except ImportError:  # 3.10
    from pymodbus.datastore import ModbusDeviceContext as UnitContext

tables = {
    "hr": [7 * n + 3 for n in range(200)],
    "ir": [1000 + n for n in range(200)],
    "co": [n % 3 == 0 for n in range(200)],
    "di": [n % 2 == 0 for n in range(200)],
}


def unit():
    try:
        return UnitContext(zero_mode=True, **{name: ModbusSequentialDataBlock(0, row) for name, row in tables.items()})
    except TypeError:  # 3.9 counts from 1
        return UnitContext(**{name: ModbusSequentialDataBlock(1, row) for name, row in tables.items()})


units = {9: unit(), 10: unit()}
try:
    context = ModbusServerContext(slaves=units, single=False)
except TypeError:
    context = ModbusServerContext(devices=units, single=False)
identity = ModbusDeviceIdentification()
identity.VendorName = "pymodbus"
identity.ProductCode = "PM"
identity.MajorMinorRevision = "3.0"
identity.ProductName = "A server that is not ours"

framing = how.split("-")[0] if how != "udp" else "tcp"
common = {"context": context, "identity": identity, "framer": framers[framing]}
print("ready", flush=True)
if how == "udp":
    StartUdpServer(address=("127.0.0.1", int(where)), **common)
elif how.endswith("tcp"):
    StartTcpServer(address=("127.0.0.1", int(where)), **common)
else:
    StartSerialServer(port=where, baudrate=19200, timeout=0.05, **common)
