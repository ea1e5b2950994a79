package docker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"syscall"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
)

// Isolate puts the packet filter rules in force that keep the installation's instances from each other, from the host
// and from everything beyond it, and writes to report which families of rules hold. It replaces the rules of an
// earlier run atomically and touches only tables named after the installation.
//
// It acts on the network namespace of its process and needs CAP_NET_ADMIN there: the Runtime runs it as
// "berth isolate INSTALLATION POOL" in a container with the host's network, so that berth itself needs no privilege.
//
// Instances are recognised by the name of the bridge they are on, which begins alike for all of an installation;
// a network that is created later is isolated from its first moment.
func Isolate(installation string, pool netip.Prefix, report io.Writer) error {
	if err := checkPool(pool); err != nil {
		return fmt.Errorf("isolate: %w", err)
	}
	for _, family := range []isolation{familyINet, familyBridge} {
		ok, err := isolateFamily(family, installation, pool)
		if err != nil {
			return fmt.Errorf("isolate: set the %s rules: %w", family, err)
		}
		if !ok {
			continue
		}
		if _, err := fmt.Fprintln(report, family); err != nil {
			return fmt.Errorf("isolate: %w", err)
		}
	}
	return nil
}

// Unisolate removes what Isolate has put in force; that there is nothing is no error. The Runtime runs it as
// "berth isolate --remove INSTALLATION POOL", like Isolate.
func Unisolate(installation string) error {
	for _, family := range []nftables.TableFamily{nftables.TableFamilyINet, nftables.TableFamilyBridge} {
		conn, err := nftables.New()
		if err != nil {
			return fmt.Errorf("unisolate: %w", err)
		}
		conn.DelTable(renew(conn, family, installation))
		if err := conn.Flush(); err != nil && !lacking(err) {
			return fmt.Errorf("unisolate: %w", err)
		}
	}
	return nil
}

// isolateFamily reports whether the kernel can do it. One batch is one transaction of the kernel: there is no moment
// without rules.
func isolateFamily(family isolation, installation string, pool netip.Prefix) (bool, error) {
	ways := []func(*nftables.Conn){func(c *nftables.Conn) { isolateINet(c, installation) }}
	if family == familyBridge {
		ways = []func(*nftables.Conn){
			func(c *nftables.Conn) { isolateBridge(c, installation, onBridge(installation)) },
			func(c *nftables.Conn) { isolateBridge(c, installation, withAddress(pool)) },
		}
	}
	for _, way := range ways {
		conn, err := nftables.New()
		if err != nil {
			return false, err
		}
		way(conn)
		if err := conn.Flush(); !lacking(err) {
			return err == nil, err
		}
	}
	return false, nil
}

// isolation is the families of rules in force, as Isolate reports them, one a line.
type isolation string

const (
	familyINet   isolation = "inet"
	familyBridge isolation = "bridge"
)

func (i isolation) has(family isolation) bool {
	for line := range strings.Lines(string(i)) {
		if strings.TrimSpace(line) == string(family) {
			return true
		}
	}
	return false
}

// warning says what instances can do that they should not; empty when all rules are in force.
func (i isolation) warning() string {
	switch {
	case !i.has(familyINet):
		return "sites are not kept from the host: its kernel has no nf_tables"
	case !i.has(familyBridge):
		return "sites are kept from each other by the engine only: the host's kernel has no nf_tables for bridges"
	}
	return ""
}

// lacking reports whether the kernel has no nf_tables, or not of that family.
func lacking(err error) bool {
	return errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EOPNOTSUPP)
}

// tableName is the name of the installation's tables, of either family.
func tableName(installation string) string { return "berth_" + tag(installation) }

// renew adds an empty table, whether or not there was one.
func renew(conn *nftables.Conn, family nftables.TableFamily, installation string) *nftables.Table {
	table := &nftables.Table{Family: family, Name: tableName(installation)}
	conn.AddTable(table) // what does not exist cannot be deleted
	conn.DelTable(table)
	return conn.AddTable(table)
}

// isolateINet drops what instances send to the host unless it answers the host, and all that would be routed from or to
// them. A verdict of drop is final; accept leaves the decision to the host's other tables.
func isolateINet(conn *nftables.Conn, installation string) {
	table := renew(conn, nftables.TableFamilyINet, installation)
	input := conn.AddChain(&nftables.Chain{
		Name: "input", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter,
	})
	prefix := bridgePrefix(installation)
	conn.AddRule(&nftables.Rule{Table: table, Chain: input, Exprs: join(named(expr.MetaKeyIIFNAME, prefix), answering(), verdict(expr.VerdictAccept))})
	conn.AddRule(&nftables.Rule{Table: table, Chain: input, Exprs: join(named(expr.MetaKeyIIFNAME, prefix), verdict(expr.VerdictDrop))})
	forward := conn.AddChain(&nftables.Chain{
		Name: "forward", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	conn.AddRule(&nftables.Rule{Table: table, Chain: forward, Exprs: join(named(expr.MetaKeyIIFNAME, prefix), verdict(expr.VerdictDrop))})
	conn.AddRule(&nftables.Rule{Table: table, Chain: forward, Exprs: join(named(expr.MetaKeyOIFNAME, prefix), verdict(expr.VerdictDrop))})
}

// isolateBridge drops frames from one port of a bridge to another, whether or not bridged frames pass the tables
// of IP (br_netfilter).
func isolateBridge(conn *nftables.Conn, installation string, matches [][]expr.Any) {
	table := renew(conn, nftables.TableFamilyBridge, installation)
	forward := conn.AddChain(&nftables.Chain{
		Name: "forward", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	for _, match := range matches {
		conn.AddRule(&nftables.Rule{Table: table, Chain: forward, Exprs: join(match, verdict(expr.VerdictDrop))})
	}
}

// onBridge matches every frame on one of the installation's bridges, ARP too.
func onBridge(installation string) [][]expr.Any {
	return [][]expr.Any{named(expr.MetaKeyBRIIIFNAME, bridgePrefix(installation))}
}

// withAddress matches by the pool, for kernels that cannot match the bridge (nft_meta_bridge is left out). Instances
// have no other addresses, no IPv6, and without capabilities they cannot send what is not IP. On such a kernel a bridge
// of others whose addresses lie in the pool is cut as well.
func withAddress(pool netip.Prefix) [][]expr.Any {
	const source, destination = 12, 16 // offsets in the IPv4 header
	return [][]expr.Any{inPrefix(source, pool), inPrefix(destination, pool)}
}

func inPrefix(offset uint32, prefix netip.Prefix) []expr.Any {
	mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-prefix.Bits()))
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, syscall.ETH_P_IP)},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: prefix.Masked().Addr().AsSlice()},
	}
}

func join(parts ...[]expr.Any) []expr.Any {
	var all []expr.Any
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// named matches interfaces whose names begin with prefix: bytes that are not given are not compared.
func named(key expr.MetaKey, prefix string) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte(prefix)},
	}
}

// answering matches packets of a connection that was opened the other way.
func answering() []expr.Any {
	mask := binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }
